"""What a user writes, read strictly: site, point maps, policy and bus files.

Nothing here raises on bad input. Every reader takes a `Diagnostics` and says there what is wrong
and where; `load_site` and `load_bus` gather all of it at once.
"""
