mod stopped_peer;
