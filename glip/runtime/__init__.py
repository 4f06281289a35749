"""How a process runs: precision, compiling, memory, progress, files from disk."""
