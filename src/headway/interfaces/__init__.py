"""How people and agents come in. No logic above the facade."""
