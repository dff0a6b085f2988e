//! All integration tests in one program: each program is linked with all that it uses.

mod common;
mod links_recover;
mod loop_replicates;
mod older_versions;
mod peers_change;
mod priorities;
mod queries;
mod serial_lines;
mod storage_faults;
mod transport_refuses;
mod wal_fits_its_disk;
mod wal_refuses_damage;
mod wal_survives_crashes;
