"""Pictures for people: boxes, words and captions drawn, pages to leaf through."""
