"""A hospital's own archive: a folder of DICOM files to de-identified cases."""
