"""Any image-text-to-text model of transformers as the reader: one idea a file, one class in all."""
