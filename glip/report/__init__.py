"""Results for people: plots, pages to leaf through, tables of costs."""
