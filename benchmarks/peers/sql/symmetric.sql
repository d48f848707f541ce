-- SymmetricDS: two groups of one node each, which push to each other; every change of `item` goes the other way.
insert into sym_node_group (node_group_id) values ('source'), ('target') on conflict do nothing;
insert into sym_node_group_link (source_node_group_id, target_node_group_id, data_event_action) values ('source', 'target', 'P') on conflict do nothing;
insert into sym_node_group_link (source_node_group_id, target_node_group_id, data_event_action) values ('target', 'source', 'P') on conflict do nothing;
insert into sym_channel (channel_id, processing_order, max_batch_size, max_batch_to_send, max_data_to_route, enabled, batch_algorithm) values ('items', 1, 10000, 100, 500000, 1, 'default');
insert into sym_trigger (trigger_id, source_table_name, channel_id, use_stream_lobs, use_capture_lobs, create_time, last_update_time) values ('item', 'item', 'items', 0, 0, current_timestamp, current_timestamp);
insert into sym_router (router_id, source_node_group_id, target_node_group_id, router_type, create_time, last_update_time) values ('there', 'source', 'target', 'default', current_timestamp, current_timestamp);
insert into sym_router (router_id, source_node_group_id, target_node_group_id, router_type, create_time, last_update_time) values ('back', 'target', 'source', 'default', current_timestamp, current_timestamp);
insert into sym_trigger_router (trigger_id, router_id, initial_load_order, create_time, last_update_time) values ('item', 'there', 1, current_timestamp, current_timestamp);
insert into sym_trigger_router (trigger_id, router_id, initial_load_order, create_time, last_update_time) values ('item', 'back', 1, current_timestamp, current_timestamp);
