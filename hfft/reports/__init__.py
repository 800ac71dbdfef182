"""Reports of finished runs: what is read from a folder (`facts`), the page made of it (`html`), and `compare`."""
