"""Sphinx configuration: ``make docs`` builds it with warnings as errors, without network."""

import importlib.util
import re
from pathlib import Path

import algonets

HERE = Path(__file__).parent

project = "algonets"
author = "The algonets authors"
copyright = "2026, the algonets authors"
version = release = algonets.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx.ext.viewcode",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "examples", "gallery/*.ipynb", "gallery/*.py"]

html_theme = "furo"
html_title = f"algonets {release}"
html_copy_source = False

myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 88
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_custom_sections = ["Cost", "Differentiability", "Terms"]

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"plot_",
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "remove_config_comments": True,
    "write_computation_times": False,
    "min_reported_time": 1e9,
}


def generate(script: str, page: str) -> None:
    """Generate a page from what the code says of itself: operations from the registry, methods from their classes."""
    spec = importlib.util.spec_from_file_location(script, HERE / f"{script}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    target = HERE / page
    before = target.read_text(encoding="utf-8") if target.exists() else ""
    module.write_table(target.with_suffix(".new"))
    if target.with_suffix(".new").read_text(encoding="utf-8") != before:  # an unchanged page is not read again
        target.with_suffix(".new").replace(target)
    target.with_suffix(".new").unlink(missing_ok=True)


for script, page in (("_generate_operations", "operations.md"), ("_generate_methods", "sort_methods.inc")):
    if (HERE / f"{script}.py").exists():
        generate(script, page)


def refine_docstring(app, what, name, obj, options, lines):
    """Set ``Differentiability: ...`` and its like apart, and let initials begin a line without becoming a list."""
    for index in reversed(range(len(lines))):
        lines[index] = re.sub(r"^(\s*)([A-Z]\. )", r"\1\\\2", lines[index])
        heading = re.match(r"(Differentiability|Cost|References|Args, [^:]+): (?=\S)", lines[index])
        if heading:
            lines[index : index + 1] = ["", f"**{heading[1]}:** {lines[index][heading.end() :]}"]


def show_public_bases(app, name, obj, options, bases):
    """Show, instead of a base that is private to its room, the public one that it refines."""
    for index, base in enumerate(bases):
        if getattr(base, "__name__", "") in ("AbstractSymmetric", "AbstractMirrored", "AbstractPower"):
            bases[index] = base.__base__


def refine_page(app, docname, source):
    """Leave out what a partial checkout does not have, and the blank line that ends the output of a doctest."""
    source[0] = re.sub(r"(?m)\n\n```$", "\n```", source[0])
    if docname == "changelog" and not (HERE.parent / "CHANGELOG.md").exists():
        source[0] = "# Changelog\n\nNo `CHANGELOG.md` in this checkout.\n"
    if docname == "results" and not any(HERE.glob("results/*.md")):
        source[0] = source[0].partition("```{toctree}")[0]


def setup(app):
    """Connect the functions above; docstrings are changed before napoleon (priority 500) reads them."""
    app.connect("autodoc-process-docstring", refine_docstring, priority=400)
    app.connect("autodoc-process-bases", show_public_bases)
    app.connect("source-read", refine_page, priority=400)
