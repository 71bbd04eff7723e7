"""Above the image: header, toolbar, status line, banner and input checks."""
