//! Commits whose answer never arrives, once done and once not.

use futures::{StreamExt as _, future::join, stream::FuturesUnordered};
use sqlx::postgres::PgConnectOptions;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use turnpike_access::log::Head;

use super::{
    chain::{event, verified},
    database::{Engine, on, soon},
};
use crate::store::{AppendError, connect};

/// When the wire is cut.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cut {
    /// The server has answered the commit, and the client hears nothing of it.
    AfterCommit,
    /// The server never sees the commit.
    BeforeCommit,
}

/// What the event holds that is appended: the statement that carries it commits by itself.
const DOUBTFUL: &str = "doubtful";

/// Passes bytes between store and server until the first commit; there it cuts every connection and takes no more.
async fn wire(listener: TcpListener, server: &PgConnectOptions, cut: Cut) {
    let mut connections = FuturesUnordered::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => connections.push(pass(accepted.unwrap().0, server, cut)),
            Some(committed) = connections.next() => if committed { return },
        }
    }
}

/// Returns whether it ended with a commit.
async fn pass(mut client: TcpStream, server: &PgConnectOptions, cut: Cut) -> bool {
    let address = (server.get_host(), server.get_port());
    let mut upstream = TcpStream::connect(address).await.unwrap();
    let (mut ask, mut answer) = ([0; 16 * 1024], [0; 16 * 1024]);
    loop {
        tokio::select! {
            asked = client.read(&mut ask) => {
                let Ok(length @ 1..) = asked else { return false };
                let commits = ask[..length].windows(DOUBTFUL.len()).any(|word| word == DOUBTFUL.as_bytes());
                if commits && cut == Cut::BeforeCommit {
                    return true;
                }
                upstream.write_all(&ask[..length]).await.unwrap();
                if commits {
                    assert_ne!(upstream.read(&mut answer).await.unwrap(), 0);
                    return true;
                }
            }
            answered = upstream.read(&mut answer) => {
                let Ok(length @ 1..) = answered else { return false };
                client.write_all(&answer[..length]).await.unwrap();
            }
        }
    }
}

async fn append_over_a_cut_wire(cut: Cut) {
    on(Engine::Postgres, async |database| {
        let server: PgConnectOptions = database.url.parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        // Unencrypted, so that the wire sees the commit.
        let url = database
            .url
            .replace(&format!(":{}/", server.get_port()), &format!(":{port}/"))
            .replace("sslmode=prefer", "sslmode=disable");
        let event = event(Head::default(), DOUBTFUL);
        let append = async {
            let store = connect(&url).await.unwrap().events;
            store.append(Head::default(), std::slice::from_ref(&event)).await
        };
        let both = join(append, wire(listener, &server, cut));
        let (appended, ()) = soon("the cut", both).await;
        assert!(matches!(appended, Err(AppendError::Unknown(_))), "{appended:?}");

        let store = database.stores().await.events;
        let done = cut == Cut::AfterCommit;
        assert_eq!(store.committed(&event).await.unwrap(), done);
        match store.append(Head::default(), std::slice::from_ref(&event)).await {
            Ok(()) => assert!(!done),
            Err(AppendError::Conflict { head }) => assert!(done && head == event.head()),
            Err(other) => panic!("{other}"),
        }
        assert_eq!(verified(&*store).await, [DOUBTFUL]);
    })
    .await;
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_unknown_and_turns_out_done() {
    append_over_a_cut_wire(Cut::AfterCommit).await;
}

#[tokio::test]
async fn a_commit_that_is_lost_on_its_way_is_unknown_and_turns_out_undone() {
    append_over_a_cut_wire(Cut::BeforeCommit).await;
}
