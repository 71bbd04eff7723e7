"""The pages beside the reading page, rendered here: they need no Gradio and no scripts of it."""
