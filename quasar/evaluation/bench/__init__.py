"""Any model measured on the same problems: fixed sets, one table, results that can be checked."""
