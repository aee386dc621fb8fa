mod member;
mod peer_death;
mod registry;
