"""The pages beside the reading page: about, evidence, collection; whole pages, without Gradio."""
