mod peer_death;
