"""The compiler's front: workflow source -> AST, and what else reads or writes source."""
