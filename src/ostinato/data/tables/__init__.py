"""Rows and columns: CSV, TSV, JSON and Parquet, read and written."""
