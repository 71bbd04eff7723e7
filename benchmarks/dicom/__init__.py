"""DICOM conformance: the golden table of files and what each must give, compared with DCMTK."""
