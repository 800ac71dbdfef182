"""`hfft init`: looks at data, proposes a model, and writes a recipe with comments.

From what is asked (`state`) to a file: `sources` finds and reads the data, `columns` says what stands in each column,
`roles` what it may be for a task, `guess` what is to be learnt from them, `facts` what the task's own readers say of
that, `models` and `settings` what follows, and `recipe` puts them together.
"""
