"""The browser console: one page of plain ES modules and CSS."""
