"""What tasks that write texts are made of: languages, examples, the search for answers, answers in words."""
