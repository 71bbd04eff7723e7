"""DICOM objects of a result: structured report, secondary capture, encapsulated PDF."""
