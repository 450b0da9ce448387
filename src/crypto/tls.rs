//! The cryptography of TLS: rustls's own on AWS-LC, except that what takes a lock of AWS-LC happens
//! inside [`enter`], so that a fork copies none that another thread holds.

use crate::base::process::enter;
use rustls::crypto::{
    ActiveKeyExchange, CompletedKeyExchange, CryptoProvider, GetRandomFailed, KeyProvider,
    SecureRandom, SupportedKxGroup,
};
use rustls::ffdhe_groups::FfdheGroup;
use rustls::pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer};
use rustls::sign::{Signer, SigningKey};
use rustls::{Error, NamedGroup, ProtocolVersion, SignatureAlgorithm, SignatureScheme};
use std::sync::{Arc, OnceLock};

pub(crate) fn provider() -> CryptoProvider {
    static GROUPS: OnceLock<Vec<Group>> = OnceLock::new();
    let _inside = enter();
    let own = plain();
    let groups = GROUPS.get_or_init(|| own.kx_groups.iter().map(|group| Group(*group)).collect());
    CryptoProvider {
        kx_groups: groups.iter().map(|group| group as &dyn SupportedKxGroup).collect(),
        secure_random: &Random,
        key_provider: &Keys,
        ..own
    }
}

fn plain() -> CryptoProvider {
    rustls::crypto::aws_lc_rs::default_provider()
}

#[derive(Debug)]
struct Group(&'static dyn SupportedKxGroup);

impl SupportedKxGroup for Group {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let _inside = enter();
        self.0.start()
    }

    fn start_and_complete(&self, peer: &[u8]) -> Result<CompletedKeyExchange, Error> {
        let _inside = enter();
        self.0.start_and_complete(peer)
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        self.0.ffdhe_group()
    }

    fn name(&self) -> NamedGroup {
        self.0.name()
    }

    fn fips(&self) -> bool {
        self.0.fips()
    }

    fn usable_for_version(&self, version: ProtocolVersion) -> bool {
        self.0.usable_for_version(version)
    }
}

#[derive(Debug)]
struct Random;

impl SecureRandom for Random {
    fn fill(&self, buf: &mut [u8]) -> Result<(), GetRandomFailed> {
        let _inside = enter();
        plain().secure_random.fill(buf)
    }

    fn fips(&self) -> bool {
        plain().secure_random.fips()
    }
}

#[derive(Debug)]
struct Keys;

impl KeyProvider for Keys {
    fn load_private_key(&self, key: PrivateKeyDer<'static>) -> Result<Arc<dyn SigningKey>, Error> {
        let _inside = enter();
        let key = plain().key_provider.load_private_key(key)?;
        Ok(Arc::new(Key(key)))
    }

    fn fips(&self) -> bool {
        plain().key_provider.fips()
    }
}

#[derive(Debug)]
struct Key(Arc<dyn SigningKey>);

impl SigningKey for Key {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        Some(Box::new(Signing(self.0.choose_scheme(offered)?)))
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        self.0.public_key()
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.0.algorithm()
    }
}

#[derive(Debug)]
struct Signing(Box<dyn Signer>);

impl Signer for Signing {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let _inside = enter();
        self.0.sign(message)
    }

    fn scheme(&self) -> SignatureScheme {
        self.0.scheme()
    }
}
