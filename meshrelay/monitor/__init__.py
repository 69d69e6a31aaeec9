"""The centre's view: a fold over what each ward last said, as a page and as metrics."""
