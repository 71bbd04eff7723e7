"""The stage `retriever` (JOMED, phase 2)."""
