"""DICOM files: what is read of them, and the chain from stored to display values."""
