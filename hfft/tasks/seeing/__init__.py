"""What tasks that look at images are made of: augmentation, views, mixing."""
