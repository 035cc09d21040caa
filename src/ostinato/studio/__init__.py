"""The studio: a page in the browser that trains, tries and watches runs, and the routes behind it.

`page/` is what the browser gets, as it lies there: plain modules, no build step. The rest answers its requests.
"""
