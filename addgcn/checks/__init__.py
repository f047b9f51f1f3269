"""What the exercises of the book ask, one module for each chapter; `addgcn.check` finds them here."""
