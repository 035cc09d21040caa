"""Examples with a label each: texts from tables, folders and lines; sequences of numbers from long tables and .ts."""
