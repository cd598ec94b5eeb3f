"""How results look: tables, records for machines, and progress while long work runs."""
