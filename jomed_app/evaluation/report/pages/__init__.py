"""Reports as Markdown pages, with their pictures."""
