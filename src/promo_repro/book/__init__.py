"""Book room: execute the notebooks, collect what they found, render and check the pages."""
