//! Which key signs, which are believed, and that the private halves survive.

use tokio_util::sync::CancellationToken;

use super::*;
use crate::fixture::{Core, name};

const ISSUER: &str = "https://control.example";

fn key(id: &str, issuer: &str, created: i64) -> TokenKey {
    TokenKey {
        id: Arc::from(id),
        issuer: Arc::from(issuer),
        public_key: Arc::from(""),
        created: Timestamp::from_micros(0).plus_seconds(created),
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(0).plus_seconds(seconds)
}

#[test]
fn a_key_signs_only_after_it_was_published_for_a_while() {
    let keys = [key("old", ISSUER, 0), key("new", ISSUER, 1000)];
    let signs = |now| signing(&keys, ISSUER, at(now)).unwrap().id.clone();
    assert_eq!(&*signs(1000 + PUBLISHED_BEFORE - 1), "old");
    assert_eq!(&*signs(1000 + PUBLISHED_BEFORE), "new");
    let first = [
        key("first", ISSUER, 1000),
        key("other", "https://elsewhere", 1001),
    ];
    assert_eq!(&*signing(&first, ISSUER, at(1000)).unwrap().id, "first");
    assert!(signing(&[], ISSUER, at(0)).is_none());
}

#[test]
fn a_key_is_believed_until_nothing_that_it_signed_can_live() {
    let keys = [
        key("a", ISSUER, 0),
        key("b", ISSUER, 1000),
        key("c", ISSUER, 50_000),
    ];
    let end = 1000 + PUBLISHED_BEFORE + BELIEVED_AFTER;
    assert_eq!(superseded(&keys, at(end)), Vec::<Arc<str>>::new());
    assert_eq!(superseded(&keys, at(end + 1)), [Arc::from("a")]);
    assert_eq!(superseded(&keys, at(1_000_000)), [Arc::from("a"), Arc::from("b")]);
}

#[tokio::test]
async fn each_control_plane_signs_with_the_key_that_one_of_them_made() {
    let folder = tempfile::tempdir().unwrap();
    let core = Core::in_folder(folder.path()).await;
    let keyring = Arc::new(Keyring::parse(&Keyring::generate()).unwrap());
    let keys = |keyring: &Arc<Keyring>| {
        TokenKeys::new(
            core.store.clone(),
            keyring.clone(),
            core.executor.clone(),
            Arc::from(ISSUER),
        )
    };
    let first = keys(&keyring);
    first.look().await.unwrap();
    assert!(
        core.snapshot().token_keys().is_empty(),
        "before there is an administrator"
    );
    core.bootstrap().await;
    first.look().await.unwrap();
    let second = keys(&keyring);
    second.look().await.unwrap();
    let snapshot = core.snapshot();
    assert_eq!(snapshot.token_keys().len(), 1);
    let (one, issuer) = first.signer(&snapshot).await.unwrap();
    let (other, _) = second.signer(&snapshot).await.unwrap();
    assert_eq!((one.key_id(), &*issuer), (other.key_id(), ISSUER));
    let kept = core.store.token_keys().await.unwrap();
    let private = one.pkcs8().expose();
    assert!(!kept[0].sealed.windows(private.len()).any(|part| part == private));

    // With another keyring the key is of no use, and another one takes its place.
    let strange = keys(&Arc::new(Keyring::parse(&Keyring::generate()).unwrap()));
    strange.look().await.unwrap();
    assert_eq!(core.snapshot().token_keys().len(), 2);
}

#[tokio::test]
async fn a_removed_key_signs_no_more_and_the_next_does_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let core = Core::in_folder(folder.path()).await;
    core.bootstrap().await;
    let keyring = Arc::new(Keyring::parse(&Keyring::generate()).unwrap());
    let keys = TokenKeys::new(
        core.store.clone(),
        keyring,
        core.executor.clone(),
        Arc::from(ISSUER),
    );
    keys.look().await.unwrap();
    let (old, _) = keys.signer(&core.snapshot()).await.unwrap();
    let next = keys.fresh().await.unwrap();
    keys.execute(Command::AddTokenKey(next.clone())).await.unwrap();
    let (still, _) = keys.signer(&core.snapshot()).await.unwrap();
    assert_eq!(still.key_id(), old.key_id());
    let id = Arc::from(old.key_id());
    keys.execute(Command::RemoveTokenKey { id }).await.unwrap();
    let (now, _) = keys.signer(&core.snapshot()).await.unwrap();
    assert_eq!(now.key_id(), &*next.id);
}

#[tokio::test]
async fn the_first_key_is_made_as_soon_as_there_is_an_administrator() {
    let folder = tempfile::tempdir().unwrap();
    let core = Core::in_folder(folder.path()).await;
    let keyring = Arc::new(Keyring::parse(&Keyring::generate()).unwrap());
    let keys = TokenKeys::new(
        core.store.clone(),
        keyring,
        core.executor.clone(),
        Arc::from(ISSUER),
    );
    let stop = CancellationToken::new();
    let mut heads = core.projection.heads();
    let tasks = turnpike_runtime::task::Tasks::new(turnpike_runtime::shutdown::Shutdown::new());
    tasks.spawn("keys", keys.keep(core.projection.heads(), stop.clone()));
    core.bootstrap().await;
    let made = async {
        while core.snapshot().token_keys().is_empty() {
            heads.changed().await.unwrap();
        }
    };
    tokio::time::timeout(Duration::from_secs(30), made).await.unwrap();
    assert!(core.snapshot().tenant(name("platform").as_str()).is_some());
    stop.cancel();
}
