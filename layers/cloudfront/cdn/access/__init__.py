"""Who may open what, and the signatures that say so."""
