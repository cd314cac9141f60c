//! Suite 8 XML Interface. (being built)
