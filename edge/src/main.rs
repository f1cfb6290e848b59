//! The `turnpike-edge` process: settings, threads, signals. What an edge does is in the library.

use std::{error::Error, io::Write as _, process::ExitCode, sync::Arc};

use clap::Parser as _;
use turnpike_edge::{edge::Edge, settings::Settings};
use turnpike_runtime::{
    bus::{SharedBus, nats::NatsBus},
    shutdown::Shutdown,
    task::Tasks,
    telemetry,
};

/// A request makes and frees some seventy small pieces of memory, at about a third of the instructions that the
/// system's allocator takes.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Ends with status 2 on wrong usage.
    let settings = Settings::parse();
    match run(settings) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The log may not be set up yet, and a person waits for this line.
            drop(writeln!(std::io::stderr(), "turnpike-edge: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn run(settings: Settings) -> Result<(), Box<dyn Error>> {
    let mut threads = tokio::runtime::Builder::new_multi_thread();
    let threads = threads.worker_threads(settings.threads()).enable_all().build()?;
    threads.block_on(async {
        let telemetry = telemetry::init("turnpike-edge", &settings.telemetry)?;
        let served = serve(settings).await;
        telemetry.shutdown().await;
        served
    })
}

async fn serve(settings: Settings) -> Result<(), Box<dyn Error>> {
    for (name, value) in settings.effective() {
        tracing::info!(name, value, "setting");
    }
    let tasks = Tasks::new(Shutdown::on_signals()?);
    let bus = NatsBus::connect(&settings.nats, "turnpike-edge").await?;
    let bus = bus.map(|bus| Arc::new(bus) as SharedBus);
    Edge::start(settings, bus, tasks).await?.join().await;
    Ok(())
}
