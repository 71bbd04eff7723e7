"""JOMED, arXiv:2508.17394: answer loss, posterior over candidates."""
