"""Sphinx's settings: ``sphinx-build -W docs OUT`` makes the API page from the docstrings."""

import fer_utils

project = "fer_utils"
author = "the authors of fer_utils"
version = release = fer_utils.__version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
root_doc = "api"
include_patterns = ["api.rst"]  # the other pages here are read where they are
default_role = "literal"  # docstrings put names in single backticks
napoleon_google_docstring = False
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # docstrings say the types, with shapes and units
suppress_warnings = ["ref.python"]  # several classes have an attribute of one name
html_theme = "alabaster"
html_theme_options = {"page_width": "1100px", "description": "Facial emotion recognition"}
