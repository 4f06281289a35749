"""From the formats that data sets come in to ODVG, and back."""
