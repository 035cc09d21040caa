"""Rows and columns: CSV, TSV, JSON, Parquet and data frames; read strictly, and written again as they came."""
