//! Keys in a SoftHSM2 token of our own.
//!
//! SoftHSM2 reads `SOFTHSM2_CONF` when it is loaded, so each test makes a token and then runs itself
//! again in a child process with that variable.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread;

use cap_crypto::{
    Algorithm, Backend, OsRandom, Pkcs11Error, Pkcs11Key, Pkcs11Signer, Pkcs11Token, Signer,
    SigningKey,
};
use tempfile::TempDir;
use zeroize::Zeroizing;

use crate::unhex;

const CHILD: &str = "CAP_CRYPTO_PKCS11_CHILD";
const CONF: &str = "SOFTHSM2_CONF";
const TOKEN: &str = "mcp-security test";
const PIN: &str = "4711-user";

const ED25519: &str = include_str!("../fixtures/ed25519.pem");
const P256: &str = include_str!("../fixtures/p256.pem");
const RSA: &str = include_str!("../fixtures/rsa-2048.pem");
const RSA_1024: &str = include_str!("../fixtures/rsa-1024.pem");

const MODULES: [&str; 5] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
];

fn module() -> PathBuf {
    let found = MODULES.iter().map(PathBuf::from).find(|path| path.exists());
    found.expect("no SoftHSM2 here; on Debian: apt-get install -y softhsm2")
}

/// Runs `body` in a child of this test's process, with a token that has these keys: label, id, PEM.
fn with_token(test: &str, keys: &[(&str, &str, &str)], body: impl Fn()) {
    with_configured_token(test, "", keys, body);
}

/// As [`with_token`], with more lines in the configuration.
fn with_configured_token(test: &str, more: &str, keys: &[(&str, &str, &str)], body: impl Fn()) {
    if env::var_os(CHILD).is_some() {
        return body();
    }
    let folder = new_token(more, keys);
    let child = Command::new(env::current_exe().unwrap())
        .args([format!("pkcs11::{test}").as_str(), "--exact", "--include-ignored", "--nocapture"])
        .env(CHILD, "1")
        .env(CONF, folder.path().join("softhsm2.conf"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout).into_owned()
        + &String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success(), "{said}");
    assert!(said.contains("1 passed"), "the child ran another number of tests than one: {said}");
}

fn new_token(more: &str, keys: &[(&str, &str, &str)]) -> TempDir {
    module();
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens");
    fs::create_dir(&tokens).unwrap();
    let conf = format!("directories.tokendir = {}\n{more}", tokens.display());
    fs::write(folder.path().join("softhsm2.conf"), conf).unwrap();
    let token = ["--label", TOKEN, "--so-pin", "0815-officer", "--pin", PIN];
    util(folder.path(), &[&["--init-token", "--free"][..], &token].concat());
    for (label, id, pem) in keys {
        let file = folder.path().join("key.pem");
        fs::write(&file, pem).unwrap();
        let key = ["--import", file.to_str().unwrap(), "--token", TOKEN, "--pin", PIN];
        util(folder.path(), &[&key[..], &["--label", label, "--id", id, "--force"]].concat());
    }
    folder
}

fn util(folder: &Path, args: &[&str]) {
    let output = Command::new("softhsm2-util")
        .args(args)
        .env(CONF, folder.join("softhsm2.conf"))
        .output()
        .expect("no softhsm2-util here; on Debian: apt-get install -y softhsm2");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn open(key: &Pkcs11Key) -> Result<Pkcs11Signer, Pkcs11Error> {
    let pin = Zeroizing::new(PIN.to_owned());
    Pkcs11Signer::open(&module(), &Pkcs11Token::Label(TOKEN.to_owned()), key, pin)
}

fn label(label: &str) -> Pkcs11Key {
    Pkcs11Key::Label(label.to_owned())
}

/// Signs as `pem` does, to everybody's satisfaction.
fn assert_signs_as(signer: &Pkcs11Signer, pem: &str) {
    let local = SigningKey::from_pkcs8(pem.as_bytes()).unwrap();
    assert_eq!(signer.key(), local.key());
    for message in [&b""[..], b"a message", &[7; 100_000]] {
        let signature = signer.sign(message).unwrap();
        for backend in Backend::ALL {
            let key = local.key().clone().with_backend(*backend).unwrap();
            assert_eq!(key.verify(message, &signature), Ok(()));
        }
        if signer.key().algorithm() != Algorithm::Es256 {
            assert_eq!(signature, local.sign(message).unwrap());
        }
    }
}

#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_pkcs11_keys_in_a_token_sign_with_every_algorithm() {
    let keys = [("rsa", "a1", RSA), ("p256", "a2", P256), ("ed25519", "a3", ED25519)];
    with_token("e2e_pkcs11_keys_in_a_token_sign_with_every_algorithm", &keys, || {
        for (name, id, pem) in
            [("rsa", 0xa1, RSA), ("p256", 0xa2, P256), ("ed25519", 0xa3, ED25519)]
        {
            assert_signs_as(&open(&label(name)).unwrap(), pem);
            assert_signs_as(&open(&Pkcs11Key::Id(vec![id])).unwrap(), pem);
        }
        let signer = open(&label("rsa")).unwrap();
        let shown = format!("{signer:?}");
        assert_eq!(shown, format!("Pkcs11Signer {{ id: {:?}, .. }}", signer.key().id()));
    });
}

#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_pkcs11_one_session_serves_many_threads() {
    let keys = [("p256", "01", P256)];
    with_token("e2e_pkcs11_one_session_serves_many_threads", &keys, || {
        let signer: Arc<dyn Signer> = Arc::new(open(&label("p256")).unwrap());
        let threads: Vec<_> = (0..8_u8)
            .map(|number| {
                let signer = Arc::clone(&signer);
                thread::spawn(move || {
                    for round in 0..25_u8 {
                        let message = [number, round];
                        let signature = signer.sign(&message).unwrap();
                        assert_eq!(signer.key().verify(&message, &signature), Ok(()));
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_pkcs11_what_is_not_there_once_is_refused() {
    let keys = [("twice", "01", P256), ("twice", "02", P256), ("weak", "03", RSA_1024)];
    with_token("e2e_pkcs11_what_is_not_there_once_is_refused", &keys, || {
        let pin = || Zeroizing::new(PIN.to_owned());
        let with = |token, pin| {
            Pkcs11Signer::open(&module(), &token, &Pkcs11Key::Id(vec![1]), pin).unwrap_err()
        };
        let here = || Pkcs11Token::Label(TOKEN.to_owned());
        // A wrong PIN first: afterwards the process is logged in.
        let refused = with(here(), Zeroizing::new("4712-wrong".to_owned()));
        assert!(matches!(refused, Pkcs11Error::Login(_)), "{refused:?}");
        assert!(!format!("{refused:?} {refused}").contains("4712-wrong"));
        let refused = with(Pkcs11Token::Label("another".to_owned()), pin());
        assert!(matches!(refused, Pkcs11Error::Token(0)), "{refused:?}");
        let refused = with(Pkcs11Token::Slot(u64::MAX), pin());
        assert!(matches!(refused, Pkcs11Error::Token(0)), "{refused:?}");
        let refused = open(&label("nobody")).unwrap_err();
        assert!(matches!(refused, Pkcs11Error::Key("private", 0)), "{refused:?}");
        let refused = open(&label("twice")).unwrap_err();
        assert!(matches!(refused, Pkcs11Error::Key("private", 2)), "{refused:?}");
        let refused = open(&label("weak")).unwrap_err();
        let expected = cap_crypto::KeyRejected::Modulus;
        assert!(matches!(refused, Pkcs11Error::Rejected(why) if why == expected), "{refused:?}");
        let module = Path::new("/no/such/module.so");
        let refused = Pkcs11Signer::open(module, &here(), &label("twice"), pin()).unwrap_err();
        assert!(matches!(refused, Pkcs11Error::Module { .. }), "{refused:?}");
        // With one way to tell them apart it opens.
        assert_signs_as(&open(&Pkcs11Key::Id(vec![1])).unwrap(), P256);
    });
}

#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_pkcs11_a_lost_session_stays_lost() {
    let keys = [("rsa", "01", RSA)];
    with_token("e2e_pkcs11_a_lost_session_stays_lost", &keys, || {
        let signer = open(&label("rsa")).unwrap();
        assert!(signer.sign(b"a message").is_ok());
        // Somebody else in this process ends the module's work.
        let other = cryptoki::context::Pkcs11::new(module()).unwrap();
        other.finalize().unwrap();
        assert!(matches!(signer.try_sign(b"a message"), Err(Pkcs11Error::Failed(_))));
        for _ in 0..3 {
            assert!(matches!(signer.try_sign(b"a message"), Err(Pkcs11Error::Lost)));
            assert_eq!(signer.sign(b"a message"), Err(cap_crypto::SignError));
        }
        // The module begins anew and gives the same numbers out again: they are not the old one's.
        let again = open(&label("rsa")).unwrap();
        assert!(again.sign(b"a message").is_ok());
        assert!(matches!(signer.try_sign(b"a message"), Err(Pkcs11Error::Lost)));
        drop(signer);
        assert!(again.sign(b"a message").is_ok());
    });
}

#[test]
fn a_module_is_loaded_from_an_absolute_path_only() {
    for path in ["libsofthsm2.so", "./libsofthsm2.so", ""] {
        let token = Pkcs11Token::Label(TOKEN.to_owned());
        let pin = Zeroizing::new(PIN.to_owned());
        match Pkcs11Signer::open(Path::new(path), &token, &label("rsa"), pin).unwrap_err() {
            Pkcs11Error::Module { path: named, source } => {
                assert_eq!(named, Path::new(path));
                assert_eq!(source.to_string(), "the path is not absolute");
            }
            other => panic!("{path}: {other:?}"),
        }
    }
}

#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_pkcs11_the_token_need_not_hash_but_it_must_sign() {
    let test = "e2e_pkcs11_the_token_need_not_hash_but_it_must_sign";
    let keys = [("rsa", "01", RSA), ("p256", "02", P256)];
    let poor = "slots.mechanisms = -CKM_SHA256_RSA_PKCS,CKM_ECDSA\n";
    with_configured_token(test, poor, &keys, || {
        // We hash, the token pads.
        assert_signs_as(&open(&label("rsa")).unwrap(), RSA);
        let refused = open(&label("p256")).unwrap_err();
        assert!(matches!(refused, Pkcs11Error::Unsupported), "{refused:?}");
    });
}

#[test]
#[ignore = "needs the servers that cargo xtask test installs"]
fn e2e_pkcs11_a_private_key_needs_its_own_public_key() {
    let test = "e2e_pkcs11_a_private_key_needs_its_own_public_key";
    with_token(test, &[("other", "01", P256)], || {
        let folder = PathBuf::from(env::var_os(CONF).unwrap());
        let folder = folder.parent().unwrap();
        let own = SigningKey::generate(Algorithm::Es256, Backend::Ring, &OsRandom).unwrap();
        let file = folder.join("own.p8");
        fs::write(&file, pem(&own.to_pkcs8())).unwrap();
        let import = ["--import", file.to_str().unwrap(), "--token", TOKEN, "--pin", PIN];
        let named = ["--label", "own", "--id", "02", "--no-public-key"];
        util(folder, &[&import[..], &named].concat());
        let refused = open(&label("own")).unwrap_err();
        assert!(matches!(refused, Pkcs11Error::Key("public", 0)), "{refused:?}");
        // The public key of another one under its id.
        publish_as(2, &SigningKey::from_pkcs8(P256.as_bytes()).unwrap());
        let refused = open(&label("own")).unwrap_err();
        assert!(matches!(refused, Pkcs11Error::Mismatch), "{refused:?}");
    });
}

fn pem(der: &[u8]) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
}

/// Makes a public P-256 key in the token.
fn publish_as(id: u8, key: &SigningKey) {
    use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
    use cryptoki::object::{Attribute, KeyType, ObjectClass};
    let context = Pkcs11::new(module()).unwrap();
    // It is initialised already.
    let _ = context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
    let slots = context.get_slots_with_initialized_token().unwrap();
    let session = context.open_rw_session(slots[0]).unwrap();
    let pin = cryptoki::types::AuthPin::from(PIN);
    session.login(cryptoki::session::UserType::User, Some(&pin)).unwrap();
    // The last 65 bytes of its PKCS#8 form are the point.
    let pkcs8 = key.to_pkcs8();
    let point = [&[4, 65], &pkcs8[pkcs8.len() - 65..]].concat();
    session
        .create_object(&[
            Attribute::Class(ObjectClass::PUBLIC_KEY),
            Attribute::KeyType(KeyType::EC),
            Attribute::Token(true),
            Attribute::Private(false),
            Attribute::Id(vec![id]),
            Attribute::EcParams(unhex("06082a8648ce3d030107")),
            Attribute::EcPoint(point),
        ])
        .unwrap();
}
