"""What there is to see of a run, view by view: arrays, with what is printed of them as `facts()`."""
