"""`hfft init`: looks at data, proposes a model, and writes a recipe with comments.

From wishes to a file: `sources` finds and reads the data, `columns` says what stands in each column, `guessing` what is
to be learnt from them, `facts` what the task's own readers say of that, `models` and `settings` what follows, `text`
how it is written. `first_recipe` puts them together.
"""
