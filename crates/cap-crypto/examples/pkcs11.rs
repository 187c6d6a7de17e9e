//! A key that lives in a PKCS#11 token signs.
//!
//! `PIN=… cargo run -q -p cap-crypto --features pkcs11 --example pkcs11 -- MODULE TOKEN KEY`, with the
//! path of the module and the labels of the token and the key.

use std::env;
use std::error::Error;
use std::path::Path;

use cap_crypto::{Pkcs11Key, Pkcs11Signer, Pkcs11Token, Signer};
use zeroize::Zeroizing;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let mut next = || arguments.next().ok_or("three arguments are wanted: MODULE TOKEN KEY");
    let (module, token, key) = (next()?, Pkcs11Token::Label(next()?), Pkcs11Key::Label(next()?));
    let pin = Zeroizing::new(env::var("PIN")?);

    let signer = Pkcs11Signer::open(Path::new(&module), &token, &key, pin)?;
    let signature = signer.sign(b"a message")?;
    signer.key().verify(b"a message", &signature)?;
    println!("{} {}: {} bytes", signer.key().algorithm(), signer.key().id(), signature.len());
    Ok(())
}
