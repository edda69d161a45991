"""Reports: one self-contained HTML page with pictures, tables and charts."""

from zeroseg.report.charts import Point, bar_chart, line_chart
from zeroseg.report.html import Cell, Html, Section, beside, chips, code, facts, grid, page, paragraph, picture, table
from zeroseg.report.markdown import from_markdown

__all__ = [
    "Cell", "Html", "Point", "Section",
    "bar_chart", "beside", "chips", "code", "facts", "from_markdown", "grid", "line_chart", "page", "paragraph",
    "picture", "table",
]  # fmt: skip
