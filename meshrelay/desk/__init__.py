"""What people mean: one file a kind, each a schema and a fold. Kinds never import each other."""
