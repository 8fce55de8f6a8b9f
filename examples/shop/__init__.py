"""A small web shop for several storefronts, and the warehouse that packs its orders."""
