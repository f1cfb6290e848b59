//! Prints so many well-formed keys of nobody, one a line.

use turnpike_access::credential::{KeyKind, SECRET_LENGTH, write_key};
use turnpike_runtime::random;

#[expect(clippy::print_stdout, reason = "the keys are this program's output")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count: usize = std::env::args()
        .nth(1)
        .ok_or("usage: bench_keys COUNT")?
        .parse()?;
    for _ in 0..count {
        let secret = random::secret_base62(SECRET_LENGTH);
        println!(
            "{}",
            write_key(KeyKind::VirtualAccount, random::id(), secret.expose())
        );
    }
    Ok(())
}
