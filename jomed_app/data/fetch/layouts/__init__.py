"""Official layouts of public sets: one file each, files as published in, cases out."""
